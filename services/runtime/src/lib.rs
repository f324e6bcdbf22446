//! What each Bucket Brigade service needs around it: server, guard, settings, health, shutdown, telemetry.
