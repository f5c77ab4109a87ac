//! The HTML faces of the same stories.

use axum::Router;

use crate::app::App;

/// Templates of the pages.
pub struct Pages;

impl Pages {
    /// Reads the templates that are built in.
    #[must_use]
    pub fn load() -> Self {
        Self
    }
}

/// Returns every page.
pub fn routes(_app: &App) -> Router<App> {
    Router::new()
}
