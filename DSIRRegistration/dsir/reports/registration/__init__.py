"""The page of one registration: verdict and reasons, pictures, figures, where they came from."""

from .page import page, write_page

__all__ = ["page", "write_page"]
