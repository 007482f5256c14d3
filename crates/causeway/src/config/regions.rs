//! `[[regions.<API>]]`.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::bail;
use causeway_model::Zone;
use causeway_ops::{Closed, Lack, RegionSettings};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `[[regions.<dialect>]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionConfig {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its zones.
    pub zones: Vec<ZoneConfig>,
    /// What its gateways lack.
    #[serde(default)]
    pub lacks: BTreeSet<Lack>,
}

/// A zone: its id, or a table with more of it.
#[derive(Clone, Debug)]
pub enum ZoneConfig {
    /// A zone with gateways.
    Id(String),
    /// See [`ZoneTable`].
    Table(ZoneTable),
}

/// `{ id = "…", vpn_gateways = "…" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneTable {
    /// Its id.
    id: String,
    /// Whether it has gateways.
    #[serde(default)]
    vpn_gateways: Offer,
}

/// Whether a zone has gateways.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Offer {
    #[default]
    Offered,
    SoldOut,
    None,
}

impl ZoneConfig {
    fn id(&self) -> Zone {
        match self {
            Self::Id(id) | Self::Table(ZoneTable { id, .. }) => id.as_str().into(),
        }
    }

    /// Why no gateway can be placed in it, if so.
    fn closed(&self) -> Option<Closed> {
        match self {
            Self::Id(_) | Self::Table(ZoneTable { vpn_gateways: Offer::Offered, .. }) => None,
            Self::Table(ZoneTable { vpn_gateways: Offer::SoldOut, .. }) => Some(Closed::SoldOut),
            Self::Table(ZoneTable { vpn_gateways: Offer::None, .. }) => Some(Closed::NotOffered),
        }
    }
}

impl<'de> Deserialize<'de> for ZoneConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdOrTable)
    }
}

struct IdOrTable;

impl<'de> Visitor<'de> for IdOrTable {
    type Value = ZoneConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a zone's id, or a table with `id` and `vpn_gateways`")
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Self::Value, E> {
        Ok(ZoneConfig::Id(id.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        ZoneTable::deserialize(MapAccessDeserializer::new(map)).map(ZoneConfig::Table)
    }
}

/// Refuses regions without a zone, and what stands twice.
pub fn check(api: &str, regions: &[RegionConfig]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    if regions.is_empty() {
        bail!("[[regions.{api}]]: it needs at least one region");
    }
    for region in regions {
        if region.id.is_empty() || !seen.insert(&region.id) {
            bail!("[[regions.{api}]]: region {:?} has no id or stands twice", region.id);
        }
        if region.zones.is_empty() {
            bail!("[[regions.{api}]]: region {} needs at least one zone", region.id);
        }
        let mut zones = BTreeSet::new();
        for zone in &region.zones {
            if zone.id().as_str().is_empty() || !zones.insert(zone.id()) {
                bail!(
                    "[[regions.{api}]]: zone {:?} of region {} has no id or stands twice",
                    zone.id().as_str(),
                    region.id
                );
            }
        }
    }
    Ok(())
}

impl RegionConfig {
    /// What the service is told.
    pub fn settings(&self) -> RegionSettings {
        let name = if self.name.is_empty() { self.id.clone() } else { self.name.clone() };
        let closed = self.zones.iter().filter_map(|zone| Some((zone.id(), zone.closed()?)));
        RegionSettings {
            closed_zones: closed.collect(),
            lacks: self.lacks.clone(),
            ..RegionSettings::new(self.id.as_str(), name, self.zones.iter().map(ZoneConfig::id).collect())
        }
    }
}
