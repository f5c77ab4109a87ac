//! The HTML faces of the same stories.

use axum::Router;

use crate::app::App;

/// Templates of the pages.
pub struct Pages;

/// Returns every page.
pub fn routes(_app: &App) -> Router<App> {
    Router::new()
}
