"""How good the champion is in production: realised, estimated, aged."""
