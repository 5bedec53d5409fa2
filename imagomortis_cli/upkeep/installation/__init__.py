"""What the Jobs, init containers and probes of an installation on Kubernetes run."""
