//! A line to a server, which a test can cut at the moment it chooses and mend again.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Line {
    pub(crate) url: String,
    whole: watch::Sender<bool>,
}

impl Line {
    /// A line to where a URL leads.
    pub(crate) async fn to(url: &str) -> Self {
        let there: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (whole, watched) = watch::channel(true);
        tokio::spawn(carry(listener, there, watched));
        Self { url, whole }
    }

    /// Ends every connection, and every new one as soon as it is made.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(listener: TcpListener, there: SocketAddr, whole: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut whole = whole.clone();
        tokio::spawn(async move {
            if !*whole.borrow_and_update() {
                return;
            }
            let carried = async {
                if let Ok(mut far) = TcpStream::connect(there).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            };
            tokio::select! {
                () = carried => {}
                _ = whole.changed() => {}
            }
        });
    }
}
