"""The command `releve`: what people ask and steer from a shell."""
