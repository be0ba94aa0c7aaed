"""The page of one registration: verdict and reasons, pictures, figures, where they came from."""
