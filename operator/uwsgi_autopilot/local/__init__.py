"""The same manifest on one machine, without Kubernetes."""
