"""The pods of one application, and the one change that is pending: what is so in, what to write out. Pure."""
