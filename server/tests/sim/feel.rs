//! The feel of play per line; filled below.
