"""What each page shows, read over AWS's protocols into frozen values; no module here knows HTML."""
