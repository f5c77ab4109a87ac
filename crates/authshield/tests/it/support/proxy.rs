//! A wire that can be cut: in front of the database, it does what networks do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Carries everything.
    Whole,
    /// Nobody listens, and what was connected is cut off.
    Refused,
    /// Swallows everything and says nothing, not even good-bye; new connections are taken.
    BlackHole,
}

struct State {
    wire: watch::Sender<Wire>,
    /// How many more parts of what clients say are carried, before the wire is cut for ever.
    left: AtomicUsize,
    /// Once all of this was said on one connection, cuts the wire before the answer to the last of it.
    lose: Mutex<Option<&'static [&'static str]>>,
    cut: Notify,
    to: SocketAddr,
}

impl State {
    /// Returns whether the answer to what is `said` is to be lost, once; counts what was `heard` before on the same
    /// connection.
    fn is_lost(&self, said: &[u8], heard: &mut usize) -> bool {
        let mut lose = self.lose.lock().unwrap();
        let Some(words) = *lose else {
            *heard = 0;
            return false;
        };
        let is_said = |word: &&str| said.windows(word.len()).any(|part| part == word.as_bytes());
        *heard += words[*heard..].iter().take_while(|word| is_said(word)).count();
        let is_lost = *heard == words.len();
        if is_lost {
            *lose = None;
        }
        is_lost
    }
}

/// The wire; it ends when this is dropped.
pub(crate) struct Proxy {
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Stands in front of the server that `url` names, and returns the address to use instead.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let mut parsed = url::Url::parse(url).unwrap();
        let host = parsed.host_str().unwrap().to_owned();
        let to = tokio::net::lookup_host((host, parsed.port().unwrap_or(5432)));
        let to = to.await.unwrap().next().unwrap();
        let port = super::program::free_port();
        let state = Arc::new(State {
            wire: watch::Sender::new(Wire::Whole),
            left: AtomicUsize::new(usize::MAX),
            lose: Mutex::new(None),
            cut: Notify::new(),
            to,
        });
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let task = tokio::spawn(serve(port, listener, Arc::clone(&state)));
        parsed.set_host(Some("127.0.0.1")).unwrap();
        parsed.set_port(Some(port)).unwrap();
        (Self { state, task }, parsed.to_string())
    }

    /// From now on, the wire does this.
    pub(crate) fn set(&self, wire: Wire) {
        self.state.wire.send_replace(wire);
    }

    /// Cuts off everybody who is connected; who connects again is let through.
    pub(crate) fn cut(&self) {
        self.state.cut.notify_one();
    }

    /// Carries this many parts of what clients say, and nothing more.
    pub(crate) fn cut_after(&self, parts: usize) {
        self.state.left.store(parts, Ordering::SeqCst);
    }

    /// Carries all of `words` to the server that one connection says one after the other, and cuts the wire before
    /// the answer to the last comes back.
    pub(crate) fn lose_the_answer_to(&self, words: &'static [&'static str]) {
        *self.state.lose.lock().unwrap() = Some(words);
    }

    /// Returns whether an answer is still to be lost.
    pub(crate) fn waits_to_lose(&self) -> bool {
        self.state.lose.lock().unwrap().is_some()
    }
}

async fn serve(port: u16, listener: TcpListener, state: Arc<State>) {
    let mut wire = state.wire.subscribe();
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        if *wire.borrow_and_update() == Wire::Refused {
            listener = None;
            connections.shutdown().await;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = state.cut.notified() => connections.shutdown().await,
            changed = wire.changed() => if changed.is_err() { return },
            Ok((client, _)) = accepted => {
                connections.spawn(carry(client, Arc::clone(&state)));
            }
        }
    }
}

/// Carries one connection. Dropped on both sides when either ends, as a reset would.
async fn carry(mut client: TcpStream, state: Arc<State>) {
    let mut wire = state.wire.subscribe();
    let mut server = None;
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut heard, mut lost) = (0, false);
    loop {
        if *wire.borrow_and_update() == Wire::BlackHole {
            // Whatever is sent lies in a buffer that nobody reads.
            if wire.changed().await.is_err() {
                return;
            }
            continue;
        }
        let server = match &mut server {
            Some(server) => server,
            None => match TcpStream::connect(state.to).await {
                Ok(stream) => server.insert(stream),
                Err(_) => return,
            },
        };
        tokio::select! {
            _ = wire.changed() => {}
            read = client.read(&mut up) => {
                let Ok(count @ 1..) = read else { return };
                let carried = |left: usize| left.checked_sub(1);
                let all = (Ordering::SeqCst, Ordering::SeqCst);
                if state.left.fetch_update(all.0, all.1, carried).is_err() { return }
                lost |= state.is_lost(&up[..count], &mut heard);
                if server.write_all(&up[..count]).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                // The server did it and says so; nobody hears.
                if lost || client.write_all(&down[..count]).await.is_err() { return }
            }
        }
    }
}
