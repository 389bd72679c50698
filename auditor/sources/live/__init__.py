"""An inventory straight from Google Cloud: a collection, written as a snapshot that `files.py` reads."""
