"""The programs that Jobs, init containers and probes of an installation on Kubernetes run."""
