"""The checks of `imagomortis doctor`, one module per topic."""
