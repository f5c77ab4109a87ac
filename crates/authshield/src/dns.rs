//! Asking the domain name system: for checks, which want to know what the world is told.
//!
//! Nothing is cached, and the machine's own list of hosts is not asked: it says what this machine
//! believes, not what a mailbox provider sees.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use crate::config::Config;

/// How long one server may take for one answer; it is asked twice.
const PATIENCE: Duration = Duration::from_secs(2);

/// A question was not answered; that the answer is "nothing" is no error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the name server did not answer about {name}: {why}")]
pub struct Unanswered {
    /// What was asked about.
    pub name: String,
    /// What went wrong.
    pub why: String,
}

/// There is nobody to ask.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no name server is known: {0}")]
pub struct NobodyToAsk(String);

/// Name servers that are asked.
#[derive(Clone)]
pub struct Dns {
    resolver: TokioResolver,
    /// How they are called in words.
    who: String,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Dns").field(&self.who).finish()
    }
}

impl Dns {
    /// Returns those of `dns.resolvers`, or this machine's.
    pub fn open(config: &Config) -> Result<Self, NobodyToAsk> {
        Self::of(&servers(config)?)
    }

    /// Returns whom to ask about mail, or `None` where nobody is to be asked: development asks nobody,
    /// unless `dns.resolvers` says whom.
    #[must_use]
    pub fn for_mail(config: &Config) -> Option<Result<Self, NobodyToAsk>> {
        let asks = config.is_production() || !config.dns.resolvers.is_empty();
        asks.then(|| Self::open(config))
    }

    /// Returns each of them by itself.
    pub fn each(config: &Config) -> Result<Vec<Self>, NobodyToAsk> {
        servers(config)?.chunks(1).map(Self::of).collect()
    }

    fn of(servers: &[SocketAddr]) -> Result<Self, NobodyToAsk> {
        let each = servers.iter().map(|server| {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            // TCP for what does not fit into a datagram: long records are what we ask for.
            let ways = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
            NameServerConfig::new(server.ip(), true, ways)
        });
        let config = ResolverConfig::from_name_servers(each.collect());
        let mut options = ResolverOpts::default();
        options.timeout = PATIENCE;
        options.attempts = 2;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(config, provider).with_options(options);
        let who: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let resolver = builder.build().map_err(|error| NobodyToAsk(error.to_string()))?;
        Ok(Self { resolver, who: who.join(", ") })
    }

    /// Returns what asks, for who speaks to it by itself.
    pub(crate) fn resolver(&self) -> &TokioResolver {
        &self.resolver
    }

    /// Returns who is asked.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Returns the texts of a name, each put together from its pieces.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, Unanswered> {
        self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        })
        .await
    }

    /// Returns who takes mail for a name, the preferred first, without the dot at the end. One that is
    /// empty says that nobody does (RFC 7505).
    pub async fn mail_servers(&self, name: &str) -> Result<Vec<String>, Unanswered> {
        let mut servers = self
            .ask(name, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, plain(&mx.exchange.to_ascii()))),
                _ => None,
            })
            .await?;
        servers.sort();
        Ok(servers.into_iter().map(|(_, server)| server).collect())
    }

    /// Returns the addresses of a name, sorted.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unanswered> {
        let four = self.ask(name, RecordType::A, |data| match data {
            RData::A(ip) => Some(IpAddr::V4(ip.0)),
            _ => None,
        });
        let six = self.ask(name, RecordType::AAAA, |data| match data {
            RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
            _ => None,
        });
        let (four, six) = tokio::join!(four, six);
        let mut all = [four?, six?].concat();
        all.sort();
        Ok(all)
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, Unanswered> {
        // Absolute: nothing that this machine would append is meant.
        let whole = format!("{}.", plain(name));
        match self.resolver.lookup(whole, kind).await {
            Ok(found) => {
                Ok(found.answers().iter().filter_map(|record| pick(&record.data)).collect())
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(Unanswered { name: name.to_owned(), why: words(&error) }),
        }
    }
}

fn words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "it took too long".to_owned(),
        error => error.to_string(),
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn servers(config: &Config) -> Result<Vec<SocketAddr>, NobodyToAsk> {
    if !config.dns.resolvers.is_empty() {
        // Their form was checked with the configuration.
        return Ok(config.dns.resolvers.iter().filter_map(|text| text.parse().ok()).collect());
    }
    let (system, _) = read_system_conf().map_err(|error| NobodyToAsk(error.to_string()))?;
    let port = |server: &NameServerConfig| server.connections.first().map_or(53, |it| it.port);
    let mut servers: Vec<_> =
        system.name_servers().iter().map(|it| SocketAddr::new(it.ip, port(it))).collect();
    servers.dedup();
    if servers.is_empty() {
        return Err(NobodyToAsk("/etc/resolv.conf names none".to_owned()));
    }
    Ok(servers)
}
