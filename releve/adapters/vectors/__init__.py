"""Embedding models, and Milvus."""
