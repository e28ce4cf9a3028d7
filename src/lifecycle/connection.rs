//! One HTTP/1.1 connection.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use super::{Limits, MAX_HEAD, MAX_HEADERS, MAX_URI, Shutdown};

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, router: Router, limits: Limits, shutdown: Shutdown) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let phase = Arc::new(Phase::default());
    let timed = HeadTimer::new(stream, limits.head, Arc::clone(&phase));
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, phase) = (router.clone(), Arc::clone(&phase));
        phase.set(Phase::ANSWERING);
        async move {
            let response = answer(router, peer, request).await;
            phase.set(Phase::IDLE);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper starts this clock when it begins to wait for a head: it limits idleness. The head
        // itself has the shorter time of `HeadTimer`.
        .header_read_timeout(limits.idle.max(limits.head))
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(timed), service);
    let mut connection = pin!(connection);
    let old = async {
        tokio::select! {
            () = shutdown.begun() => {}
            () = tokio::time::sleep(limits.age) => {}
        }
    };
    // A peer that leaves, is slow or speaks no HTTP is not worth a line in the log.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = old => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(router: Router, peer: SocketAddr, request: Request<Incoming>) -> Response {
    let target = request.uri();
    if target.path_and_query().map_or(0, |target| target.as_str().len()) > MAX_URI {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A stream that fails when a request head takes too long: from the connection's start for the
/// first, from its first byte for the others. One byte a second is no way around it.
struct HeadTimer {
    stream: TcpStream,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    phase: Arc<Phase>,
}

/// Where a connection stands. The stream sees heads begin, the service sees them end.
#[derive(Default)]
struct Phase(AtomicU8);

impl Phase {
    const HEAD: u8 = 0;
    const ANSWERING: u8 = 1;
    const IDLE: u8 = 2;

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }
}

impl HeadTimer {
    fn new(stream: TcpStream, limit: Duration, phase: Arc<Phase>) -> Self {
        let timer = Box::pin(tokio::time::sleep(limit));
        Self { stream, limit, timer, phase }
    }
}

impl AsyncRead for HeadTimer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                if self.phase.is(Phase::IDLE) {
                    self.phase.set(Phase::HEAD);
                    let deadline = Instant::now() + self.limit;
                    self.timer.as_mut().reset(deadline);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending
                if self.phase.is(Phase::HEAD) && self.timer.as_mut().poll(cx).is_ready() =>
            {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for HeadTimer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
