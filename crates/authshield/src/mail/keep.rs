//! Keeping mail instead of sending it, for development.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::io::AsyncWriteExt;

use super::ending::End;
use super::reply::{Failure, Step};
use super::sql::Row;

/// Keeps a message for a developer, who finds its link in the log.
pub(super) async fn keep(
    folder: &Path,
    row: &Row,
    mime: &[u8],
    variables: &BTreeMap<String, String>,
) -> Result<End, Failure> {
    let file = folder.join(format!("{}.eml", row.id));
    let written = async {
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut writer = options.open(&file).await?;
        writer.write_all(mime).await?;
        writer.flush().await
    };
    let failure =
        |error: std::io::Error| Failure::relay(Step::Write, format!("{}: {error}", file.display()));
    written.await.map_err(failure)?;
    tracing::info!(
        mail = %row.id,
        kind = row.kind,
        to = row.recipient,
        link = variables.get("link"),
        file = %file.display(),
        "mail kept"
    );
    Ok(End::Kept { file: file.display().to_string() })
}
