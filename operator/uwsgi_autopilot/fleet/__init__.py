"""The pods of one application and its one pending change: observations in, writes out. Pure."""
