"""The domain of ImagoMortis: pictures, recipes, the spool and the catalog."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("imagomortis")
except PackageNotFoundError:  # run from a checkout that was not installed
    __version__ = "0.0.0"
