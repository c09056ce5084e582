//! Preview environments.
