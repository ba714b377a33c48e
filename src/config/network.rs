//! The settings of the network, for calls to GO as well.

use std::ffi::OsString;

use super::Config;
use crate::fault::{ConfigError, Faults};
use crate::file::guarded_file::Writable;
use crate::net::network::{Network, OpenNetwork};

impl Config {
    /// How GO is reached with these settings: the same for calls to GO.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use derbysoft_go_auth::Config;
    /// use derbysoft_go_auth::outbound::HttpClient;
    ///
    /// let config = Config::from_toml(r#"
    ///     issuer = "https://id/X/.well-known/openid-configuration"
    ///     audience = ["ZKT"]
    ///     jwks_url = "https://id.example/id/X/keys"
    ///     proxy = "http://proxy.example:3128"
    /// "#)?;
    /// let client = HttpClient::builder().network(config.network()).build()?;
    /// # let _ = client;
    /// # Ok(())
    /// # }
    /// ```
    pub fn network(&self) -> Network {
        Network {
            proxy: self.proxy.clone(),
            ca_file: self.ca_file.clone(),
            client_cert: self.client_cert.clone(),
            client_key: self.client_key.clone(),
            writable: Writable::from_setting(self.danger_allow_writable_files),
        }
    }

    /// Reads its files. What [`checked`](Self::checked) finds is not reported again.
    ///
    /// # Errors
    /// With every file that can't be used.
    pub(crate) fn open_network(&self) -> Result<OpenNetwork, ConfigError> {
        let mut faults = Faults::default();
        let network = self.network().open(&mut faults);
        faults.or(network)
    }

    pub(crate) fn set_network(&mut self, network: Network) {
        let Network {
            proxy,
            ca_file,
            client_cert,
            client_key,
            writable: _,
        } = network;
        self.proxy = proxy;
        self.ca_file = ca_file;
        self.client_cert = client_cert;
        self.client_key = client_key;
    }
}

impl Network {
    /// From the variables `GO_AUTH_PROXY`, `GO_AUTH_CA_FILE`, `GO_AUTH_CLIENT_CERT` and
    /// `GO_AUTH_CLIENT_KEY` of this process, and the file that `GO_AUTH_CONFIG` names: for
    /// a service that calls GO and is not called by it. All other settings may be missing.
    ///
    /// # Errors
    /// With everything in the file, and every variable that begins with `GO_AUTH_`, that
    /// can't be read, and every fault of the network that needs no other file.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os())
    }

    /// Like [`from_env`](Self::from_env), from the given variables.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let vars = (vars.into_iter()).map(|(name, value)| (name.into(), value.into()));
        let (config, reading) = Config::layered(&[], None, vars)?;
        let network = config.network();
        let mut faults = Faults::default();
        network.check(&mut faults);
        reading.and(faults.or(network))
    }
}
