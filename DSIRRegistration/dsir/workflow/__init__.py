"""From files to a result folder: what the command line, the batch and the Slicer side share."""
