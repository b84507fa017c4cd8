"""Sentences for people, written from values. Nothing reads them back."""
