//! What listens at an address.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
#[cfg(unix)]
use tokio_util::either::Either;

#[cfg(unix)]
pub(crate) use super::passed::Passed;
#[cfg(unix)]
use super::passed::Socket;
#[cfg(unix)]
use super::unix_socket::{self, SocketFile};
use super::{Access, Address};
#[cfg(unix)]
use crate::process::in_thread;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long the removal of a socket's file may delay the end.
#[cfg(unix)]
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        /// Unless it is the service manager's. Dropped before the listener.
        file: Option<SocketFile>,
        listener: UnixListener,
    },
}

/// An accepted connection.
#[cfg(unix)]
pub(crate) type Stream = Either<TcpStream, UnixStream>;
#[cfg(not(unix))]
pub(crate) type Stream = TcpStream;

impl Listener {
    /// Binds an address, or takes the socket that it names. May be stopped at any await.
    pub(crate) async fn bind(
        address: &Address,
        #[cfg_attr(not(unix), expect(unused_variables))] access: Access,
        passed: &mut Passed,
    ) -> io::Result<Self> {
        match address {
            Address::Tcp { host, port } => {
                let bound = TcpListener::bind((host.as_str(), *port)).await;
                bound.map(Self::Tcp)
            }
            Address::Everywhere { port } => everywhere(*port).await.map(Self::Tcp),
            #[cfg(unix)]
            Address::Unix(path) => {
                let path = path.clone();
                let (file, listener) =
                    in_thread(move || unix_socket::bind(&path, access)).await??;
                let listener = UnixListener::from_std(listener)?;
                Ok(Self::Unix {
                    file: Some(file),
                    listener,
                })
            }
            Address::Passed(name) => passed.listener(name.as_deref()),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers on a kept connection shouldn't wait for an
                // acknowledgement.
                let _ = stream.set_nodelay(true);
                #[cfg(unix)]
                let stream = Either::Left(stream);
                Ok(stream)
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok(Either::Right(stream))
            }
        }
    }

    /// Listens no more. Goes on after a second, where a file can't be removed in that time.
    pub(crate) async fn close(self) {
        match self {
            Self::Tcp(listener) => drop(listener),
            #[cfg(unix)]
            Self::Unix { .. } => {
                let closing = in_thread(move || drop(self));
                let _ = tokio::time::timeout(CLOSE_WAIT, closing).await;
            }
        }
    }

    /// The address: `http://127.0.0.1:8081`, `unix:/run/go-auth/gate`.
    pub(crate) fn name(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(format!("http://{}", listener.local_addr()?)),
            #[cfg(unix)]
            Self::Unix { file, listener } => {
                let address = listener.local_addr()?;
                let path = match file {
                    Some(file) => Some(file.path()),
                    None => address.as_pathname(),
                };
                let path = path.ok_or_else(|| io::Error::other("the socket has no path"))?;
                Ok(format!("unix:{}", path.display()))
            }
        }
    }
}

/// At every address of the machine: of IPv6 and IPv4, or of IPv4 alone where there is no
/// IPv6.
async fn everywhere(port: u16) -> io::Result<TcpListener> {
    match at_both(port) {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::AddrInUse | ErrorKind::PermissionDenied
            ) =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

fn at_both(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        // Whatever the system's default is.
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))?;
    socket.listen(BACKLOG)
}

#[cfg(unix)]
impl Passed {
    fn listener(&mut self, name: Option<&str>) -> io::Result<Listener> {
        Ok(match self.one(name).map_err(io::Error::other)? {
            Socket::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            Socket::Unix(listener) => Listener::Unix {
                file: None,
                listener: UnixListener::from_std(listener)?,
            },
        })
    }
}

/// Elsewhere nothing is passed.
#[cfg(not(unix))]
pub(crate) struct Passed(());

#[cfg(not(unix))]
impl Passed {
    pub(crate) fn take(_: &[(std::ffi::OsString, std::ffi::OsString)]) -> Result<Self, String> {
        Ok(Self(()))
    }

    pub(crate) fn all_used(&self) -> Result<(), String> {
        Ok(())
    }

    fn listener(&mut self, _: Option<&str>) -> io::Result<Listener> {
        Err(ErrorKind::Unsupported.into())
    }
}
