//! A wire between the service and a server that counts how often somebody there waits for an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use url::Url;

/// The wire, on a thread of its own; it ends when this is dropped.
pub(crate) struct Wire {
    trips: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Wire {
    /// Stands before the server that `url` names, and returns the address to use instead.
    pub(crate) fn before(url: &str) -> Result<(Self, String)> {
        let mut url = Url::parse(url)?;
        let to = url.socket_addrs(|| None)?.pop().context("the server has no address")?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        url.set_host(Some("127.0.0.1"))?;
        let port = listener.local_addr()?.port();
        url.set_port(Some(port)).ok().context("the server's address has no place for a port")?;
        let trips = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&trips);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                // Whoever hangs up is not missed.
                tokio::spawn(async move { carry(client, to, &count).await.ok() });
            }
        });
        Ok((Self { trips, _runtime: runtime }, url.into()))
    }

    /// Returns how many round trips there were: how often a client spoke after the server had, however much
    /// it said. Whether a connection is still there, which the pool asks PostgreSQL when it gets one back, is
    /// not counted: nobody waits for it.
    pub(crate) fn trips(&self) -> u32 {
        self.trips.load(Ordering::Relaxed)
    }
}

/// The message of PostgreSQL that asks for nothing but an answer.
const SYNC: &[u8] = b"S\0\0\0\x04";

async fn carry(mut client: TcpStream, to: SocketAddr, trips: &AtomicU32) -> Result<()> {
    let mut server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut waits = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                trips.fetch_add(u32::from(!waits && asked[..length] != *SYNC), Ordering::Relaxed);
                waits = true;
                server.write_all(&asked[..length]).await?;
            }
            read = server.read(&mut answered) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                waits = false;
                client.write_all(&answered[..length]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::{SYNC, Wire};

    #[test]
    fn what_is_said_in_parts_is_one_trip_and_a_sign_of_life_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let (wire, url) = Wire::before(&url).unwrap();
        let there = url.trim_start_matches("redis://").trim_end_matches('/');
        let mut client = TcpStream::connect(there).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut heard = [0; 4];
        for _ in 0..3 {
            for half in [b"as", b"k!"] {
                client.write_all(half).unwrap();
                server.read_exact(&mut heard[..2]).unwrap();
            }
            server.write_all(b"told").unwrap();
            client.read_exact(&mut heard).unwrap();
        }
        client.write_all(SYNC).unwrap();
        let mut heard = [0; SYNC.len()];
        server.read_exact(&mut heard).unwrap();
        assert_eq!((&heard[..], wire.trips()), (SYNC, 3));
    }
}
