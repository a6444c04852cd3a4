"""Imports a package that is not installed."""

import segmentation_models_of_the_lab  # here

segmentation_models_of_the_lab.train()
