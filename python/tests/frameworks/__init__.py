"""Tests against other packages (`just python-frameworks`). It is a package, so that its conftest has a different
name from that of the folder above."""
