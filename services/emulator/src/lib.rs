//! The local stand-in for Google that Bucket Brigade runs against on a laptop.
