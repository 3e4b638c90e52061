"""What was acknowledged is there: after a kill, a power cut, a failing or full disk, a damaged page."""
