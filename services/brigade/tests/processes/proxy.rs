//! An address that stays when the service behind it comes back on another port.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

/// Carries bytes to whatever it is pointed at. A connection that breaks behind it breaks before it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Proxy {
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(target));
        let to = target.clone();
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let to = *to.lock().unwrap();
                tokio::spawn(async move {
                    if let Ok(mut inside) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
            }
        });
        Self { address, target }
    }

    pub(crate) fn point_at(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = target;
    }
}
