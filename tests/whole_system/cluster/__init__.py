"""The installation on a real Kubernetes, the one that KUBECONFIG names."""
