//! Somewhere that nobody must call: an address that messages name, and that notices a visit.

use std::io::ErrorKind;
use std::net::TcpListener;

pub struct Sink(TcpListener);

impl Sink {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// A URL there. The egress guard of a test's world lets it pass.
    pub fn url(&self) -> String {
        format!("http://{}/sink", self.0.local_addr().unwrap())
    }

    pub fn was_visited(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_noticed() {
        let sink = Sink::open();
        assert!(!sink.was_visited());
        std::net::TcpStream::connect(sink.0.local_addr().unwrap()).unwrap();
        assert!(sink.was_visited());
    }
}
