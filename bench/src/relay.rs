//! A relay that is as fast, as slow or as silent as a measurement wants it, and the fastest client there
//! can be for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How it treats those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers at once, but takes this long to take a message.
    Takes(Duration),
    /// It takes this long for every answer.
    Slow(Duration),
    /// It takes the connection, and says nothing.
    Silent,
}

/// A relay on a thread of its own; it ends when this is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    taken: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Relay {
    pub(crate) fn start(manner: Manner) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let (address, taken) = (listener.local_addr()?, Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&taken);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                // Whoever hangs up is not missed.
                tokio::spawn(async move { serve(stream, manner, &count).await.ok() });
            }
        });
        Ok(Self { address, taken, _runtime: runtime })
    }

    /// Returns how many messages it took.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

async fn serve(stream: TcpStream, manner: Manner, taken: &AtomicU32) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    if manner == Manner::Silent {
        std::future::pending::<()>().await;
    }
    answer(&mut stream, manner, "220 relay").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let verb: Vec<u8> = line.iter().take(4).map(u8::to_ascii_uppercase).collect();
        let words = match verb.as_slice() {
            b"DATA" => {
                answer(&mut stream, manner, "354 go on").await?;
                loop {
                    line.clear();
                    if stream.read_until(b'\n', &mut line).await? == 0 {
                        return Ok(());
                    }
                    if line == b".\r\n" {
                        break;
                    }
                }
                if let Manner::Takes(span) = manner
                    && !span.is_zero()
                {
                    tokio::time::sleep(span).await;
                }
                taken.fetch_add(1, Ordering::Relaxed);
                "250 taken"
            }
            b"QUIT" => "221 bye",
            _ => "250 ok",
        };
        answer(&mut stream, manner, words).await?;
    }
}

async fn answer(stream: &mut BufReader<TcpStream>, manner: Manner, words: &str) -> Result<()> {
    if let Manner::Slow(span) = manner {
        tokio::time::sleep(span).await;
    }
    stream.get_mut().write_all(format!("{words}\r\n").as_bytes()).await?;
    Ok(())
}

/// Returns how many messages per second `relay` takes from somebody who has them all in memory, over
/// eight connections, as the service has.
pub(crate) fn bare_rate(relay: &Relay, messages: u32) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = relay.address;
    let begun = Instant::now();
    runtime.block_on(async {
        let mut hands = JoinSet::new();
        for _ in 0..8 {
            hands.spawn(send(address, messages / 8));
        }
        while let Some(done) = hands.join_next().await {
            done.context("the client panicked")??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(f64::from(messages / 8 * 8) / begun.elapsed().as_secs_f64())
}

async fn send(address: SocketAddr, messages: u32) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let body = format!("Subject: x\r\n\r\n{}\r\n.\r\n", "x".repeat(2500));
    stream.read_line(&mut line).await?;
    let mut say = async |words: &str| {
        stream.get_mut().write_all(words.as_bytes()).await?;
        line.clear();
        stream.read_line(&mut line).await
    };
    say("EHLO bench\r\n").await?;
    for _ in 0..messages {
        for words in ["MAIL FROM:<a@example.org>\r\n", "RCPT TO:<b@example.org>\r\n", "DATA\r\n"] {
            say(words).await?;
        }
        say(&body).await?;
    }
    Ok(())
}
