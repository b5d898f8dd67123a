"""What knows uWSGI: its statistics, its ini file, its master FIFO, its wire protocol."""
