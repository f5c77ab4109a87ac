//! A bound on how many connections there are at once.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower::Service;

/// Makes the service of a connection once there is room for one more. Until then nobody is
/// accepted: who comes waits in the kernel's queue and costs this process nothing.
#[derive(Clone)]
pub(super) struct Room<M> {
    make: M,
    seats: PollSemaphore,
    taken: Option<Arc<OwnedSemaphorePermit>>,
}

impl<M> Room<M> {
    /// Has room for `at_most` connections.
    pub(super) fn new(make: M, at_most: usize) -> Self {
        let seats = PollSemaphore::new(Arc::new(Semaphore::new(at_most)));
        Self { make, seats, taken: None }
    }
}

impl<M> Service<SocketAddr> for Room<M>
where
    M: Service<SocketAddr, Error = Infallible>,
    M::Future: Send + 'static,
{
    type Response = Seated<M::Response>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.make.poll_ready(cx))?;
        if self.taken.is_none() {
            let seat = ready!(self.seats.poll_acquire(cx)).expect("nobody closes it");
            self.taken = Some(Arc::new(seat));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, peer: SocketAddr) -> Self::Future {
        let seat = self.taken.take().expect("it was asked whether there is room");
        let made = self.make.call(peer);
        Box::pin(async move { Ok(Seated { service: made.await?, _seat: seat }) })
    }
}

/// The service of one connection; its seat is free when the last clone is gone.
#[derive(Clone)]
pub(super) struct Seated<S> {
    service: S,
    _seat: Arc<OwnedSemaphorePermit>,
}

impl<R, S: Service<R>> Service<R> for Seated<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
