//! Fuzz targets, in `targets/`; `cargo xtask fuzz` builds and runs them.
