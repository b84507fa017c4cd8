"""The page for people: at `/` what is served, at /scenarios/{scenario} a form, the answer, and why this release."""
