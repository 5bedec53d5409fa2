"""Installing, upgrading, removing, and the overlays."""
