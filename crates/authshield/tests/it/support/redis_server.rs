//! A Redis or Valkey server of one test: to be misconfigured and killed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::program::{free_port, wait_until};

/// The server; it ends when this is dropped.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RedisServer {
    /// Starts one with these arguments besides its address.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_on(free_port(), arguments).await
    }

    /// Starts one where there was one before.
    pub(crate) async fn start_on(port: u16, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str| {
            Command::new(name)
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
                .args(arguments)
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        let child = start("redis-server").or_else(|_| start("valkey-server")).unwrap();
        let server = Self { port, child, _folder: folder };
        wait_until("Redis answers", Duration::from_secs(20), async || {
            server.command(&["PING"]).await.ok()
        })
        .await;
        server
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Runs one command.
    pub(crate) async fn command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (name, arguments) = words.split_first().expect("a command");
        redis::cmd(name).arg(arguments).query_async(&mut connection).await
    }
}
