//! One connection of the load generator.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::wire::{self, Body};

const BUFFER: usize = 32 << 10;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// Whether anything was ever answered on it.
    used: bool,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER].into(), used: false })
    }

    /// Whether a failure may only mean that the server had closed a connection nobody used.
    pub(crate) const fn was_used(&self) -> bool {
        self.used
    }

    /// Sends a request and reads its answer to the end; `data` sees its body as it comes.
    pub(crate) async fn ask(&mut self, request: &[u8], mut data: impl FnMut(&[u8])) -> io::Result<()> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some(head) = wire::head(&self.buffer[..filled]) {
                break head;
            }
        };
        let status = wire::status(&self.buffer);
        let mut body = Body::of(head.length);
        let mut said = Vec::new();
        let mut see = |bytes: &[u8]| {
            if status == 200 {
                data(bytes);
            } else if said.len() < 300 {
                said.extend_from_slice(&bytes[..bytes.len().min(300)]);
            }
        };
        body.take(&self.buffer[head.ends..filled], &mut see)?;
        while !body.is_done() {
            let read = self.stream.read(&mut self.buffer).await?;
            if read == 0 {
                if body.may_close() {
                    break;
                }
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            body.take(&self.buffer[..read], &mut see)?;
        }
        self.used = true;
        if status == 200 { Ok(()) } else { Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&said)))) }
    }
}
