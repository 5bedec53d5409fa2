"""The work on images: taking them in, leasing, processing, saving."""
