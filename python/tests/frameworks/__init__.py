"""Tests against stock packages (`just python-frameworks`). A package of its own, so that its conftest has another
name than that of the folder above."""
