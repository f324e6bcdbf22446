//! Clients for Bucket Brigade: typed calls with Google ID tokens attached, and a record of what really answered.
