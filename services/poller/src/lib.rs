//! The poller of Bucket Brigade: scan, dispatch, verdict, settle, report.
