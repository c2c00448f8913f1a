/* SPDX-License-Identifier: BSD-3-Clause */
/* Every key of a policy file: the parser, its errors and trefoil-policy(5) follow this table. */
#include "policy_impl.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char *const mode_words[] = { "enforce", "shadow", NULL };
static const char *const inbound_words[] = { "pass", "source", "destination", NULL };
static const char *const conflict_words[] = { "first", "strictest", "unknown", NULL };
static const char *const outer_words[] = { "outer", NULL };
static const char *const keep_words[] = { "keep", NULL };

#define SINGLE(key, text, others, what, field)                                                     \
	{                                                                                          \
		.name = key, .type = SCHEMA_ACTION, .fallback = text, .words = others,             \
		.help = what, .id = KEY_ID(KEY_SINGLE, offsetof(struct policy, field))             \
	}

static const struct schema_key policy_keys[] = {
	{ .name = "name",
		.type = SCHEMA_TEXT,
		.min = 1,
		.max = sizeof(((struct policy *)0)->name) - 1,
		.help = "what people call the policy (default: the file's name without .ini)",
		.id = KEY_ID(KEY_NAME, 0) },
	{ .name = "mode",
		.type = SCHEMA_WORD,
		.words = mode_words,
		.fallback = "enforce",
		.help = "shadow forwards every frame, and counts and mirrors what enforce would do",
		.id = KEY_ID(KEY_MODE, 0) },
	SINGLE("default", "drop+mirror", NULL, "addresses whose country and ASN no rule names",
		rule_default),
	SINGLE("unknown", "drop+mirror", NULL, "addresses that are in no data source",
		rule_unknown),
	SINGLE("unparsable", "drop+mirror", NULL,
		"frames that cannot be fully understood or exceed [limits]", rule_unparsable),
	SINGLE("source-route", "drop+mirror", NULL,
		"frames with an IPv4 source-route option (RFC 7126)", rule_source_route),
	SINGLE("opaque-tunnel", "outer", outer_words,
		"ESP, WireGuard and other tunnels nobody can look into; outer judges the outer "
		"address alone, an action is added to that",
		rule_opaque),
	SINGLE("stale", "keep", keep_words,
		"addresses while the geo data is older than max_geo_age_days of trefoild.ini(5); "
		"keep goes on judging by the old data",
		rule_stale),
	{ .name = "conflict",
		.type = SCHEMA_WORD,
		.words = conflict_words,
		.fallback = "first",
		.help = "addresses that the data's sources place in different countries, where no "
			"[prefix] or [asn] rule decides: by the country that the table believes; "
			"by that of the countries named whose rule (or default) forwards least; "
			"or by unknown",
		.id = KEY_ID(KEY_CONFLICT, 0) },
};

static const struct schema_key direction_keys[] = {
	{ .name = "inbound",
		.type = SCHEMA_WORD,
		.words = inbound_words,
		.fallback = "pass",
		.help = "how frames that enter from outside are judged: forwarded all, by their "
			"source addresses, or by their destinations",
		.id = KEY_ID(KEY_INBOUND, 0) },
};

#define RULES(key, kind, what, text)                                                               \
	{                                                                                          \
		.name = key, .type = SCHEMA_TEXT, .many = SCHEMA_LIST, .max = INI_LINE_MAX,        \
		.item = what, .help = text, .id = KEY_ID(kind, 0)                                  \
	}
#define ALL_RULES(kind, what)                                                                      \
	RULES("approve", kind, what, "forward; the same as pass"),                                 \
		RULES("pass", kind, what, "forward"),                                              \
		RULES("mirror", kind, what, "forward and copy to the mirror"),                     \
		RULES("drop", kind, what, "drop"),                                                 \
		RULES("drop+mirror", kind, what, "drop and copy to the mirror")

static const struct schema_key country_keys[] = { ALL_RULES(KEY_COUNTRY, "CODE|GROUP") };
static const struct schema_key asn_keys[] = { ALL_RULES(KEY_ASN, "ASN") };
static const struct schema_key prefix_keys[] = { ALL_RULES(KEY_PREFIX, "PREFIX") };

#define HELP_PRIVATE       "RFC 1918 and fc00::/7"
#define HELP_SHARED        "100.64.0.0/10, carrier-grade NAT"
#define HELP_LOOPBACK      "127.0.0.0/8 and ::1"
#define HELP_LINK_LOCAL    "169.254.0.0/16 and fe80::/10"
#define HELP_MULTICAST     "224.0.0.0/4 and ff00::/8"
#define HELP_DOCUMENTATION "192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20"
#define HELP_BENCHMARKING  "198.18.0.0/15 and 2001:2::/48"
#define HELP_RESERVED                                                                              \
	"the rest of the IANA special-purpose registries that is not globally reachable, and "     \
	"broadcast"

static const struct schema_key special_keys[] = {
#define X(key, text) SINGLE(text, "pass", NULL, HELP_##key, rule_special[SPECIAL_##key]),
	SPECIALS(X)
#undef X
};

#define NON_IP_DEFAULT_0   "drop"
#define NON_IP_DEFAULT_1   "pass"
#define HELP_ARP           "address resolution"
#define HELP_LLDP          "link layer discovery, IEEE 802.1AB"
#define HELP_LACP          "link aggregation: LACP and its marker protocol, IEEE 802.1AX"
#define HELP_STP           "spanning tree, IEEE 802.1D"
#define HELP_CDP           "Cisco discovery and its relatives"
#define HELP_PTP           "precision time over Ethernet, IEEE 1588"
#define HELP_EAPOL         "port access control, IEEE 802.1X"
#define HELP_PPPOE_CONTROL "PPPoE discovery, and PPP control protocols in a session"
#define HELP_MPLS_OAM      "MPLS associated channels, RFC 5586"
#define HELP_CFM           "connectivity fault management, IEEE 802.1ag"

static const struct schema_key non_ip_keys[] = {
#define X(key, text, pass)                                                                         \
	SINGLE(text, NON_IP_DEFAULT_##pass, NULL, HELP_##key, rule_non_ip[NON_IP_##key]),
	NON_IPS(X)
#undef X
};

const struct schema_key group_keys[1] = {
	{ .name = "countries",
		.type = SCHEMA_TEXT,
		.many = SCHEMA_LIST,
		.required = true,
		.max = INI_LINE_MAX,
		.item = "CODE",
		.help = "country codes; groups do not nest",
		.id = KEY_ID(KEY_GROUP, 0) },
};

#define LIMIT(key, kind, field, text, most, what, of)                                              \
	{                                                                                          \
		.name = key, .type = SCHEMA_NUMBER, .max = most, .fallback = text, .help = what,   \
		.unit = of, .id = KEY_ID(kind, offsetof(struct policy, limits.field))              \
	}

static const struct schema_key limit_keys[] = {
	LIMIT("tags", KEY_LIMIT8, n_tags_max, "4", 16, "VLAN tags of one Ethernet header", NULL),
	LIMIT("labels", KEY_LIMIT8, n_labels_max, "16", 64, "MPLS labels of one stack", NULL),
	LIMIT("headers", KEY_LIMIT8, n_headers_max, "8", 32, "extension headers of one IPv6 header",
		NULL),
	LIMIT("header-bytes", KEY_LIMIT16, headers_size_max, "1024", 4096,
		"size of these extension headers together", "bytes"),
	LIMIT("depth", KEY_LIMIT8, n_tunnels_max, "4", 8, "tunnels inside each other", NULL),
};

#define HELP_VXLAN       "RFC 7348"
#define HELP_VXLAN_GPE   "VXLAN with a next protocol"
#define HELP_GENEVE      "RFC 8926"
#define HELP_GTP_U       "3GPP TS 29.281"
#define HELP_MPLS_IN_UDP "RFC 7510"
#define HELP_GRE_IN_UDP  "RFC 8086"
#define HELP_TEREDO      "RFC 4380; either side"
#define HELP_OPAQUE      "OpenVPN, L2TP, LISP, IKE and ESP in UDP, WireGuard: see opaque-tunnel"

static const struct schema_key port_keys[] = {
#define X(key, text, ...)                                                                          \
	{ .name = text,                                                                            \
		.type = SCHEMA_NUMBER,                                                             \
		.many = SCHEMA_LIST,                                                               \
		.min = 1,                                                                          \
		.max = 65535,                                                                      \
		.item = "PORT",                                                                    \
		.fallback = #__VA_ARGS__,                                                          \
		.help = HELP_##key,                                                                \
		.id = KEY_ID(KEY_PORT, TUNNEL_PORT_##key) },
	TUNNEL_PORTS(X)
#undef X
};

static const struct schema_key nat64_keys[] = {
	{ .name = "prefix",
		.type = SCHEMA_TEXT,
		.many = SCHEMA_LIST,
		.max = INI_LINE_MAX,
		.item = "PREFIX",
		.help = "IPv6 prefixes of translators (RFC 6052), beside the well-known ones; the "
			"length is 32, 40, 48, 56, 64 or 96",
		.id = KEY_ID(KEY_NAT64, 0) },
};

static const struct schema_key evidence_keys[] = {
	{ .name = "payload",
		.type = SCHEMA_TEXT,
		.many = SCHEMA_LIST,
		.max = INI_LINE_MAX,
		.item = "RULE|REASON",
		.help = "copies that keep their payload, where others keep headers only: rules by "
			"what they list (KP, AS4134, 192.0.2.0/24) or their key (default), or "
			"reasons",
		.id = KEY_ID(KEY_PAYLOAD, 0) },
	{ .name = "rate",
		.type = SCHEMA_TEXT,
		.many = SCHEMA_LIST,
		.max = INI_LINE_MAX,
		.item = "RULE@N",
		.help = "at most N copies per second of that rule; what is left out is counted and "
			"said in the next annotation",
		.id = KEY_ID(KEY_RATE, 0) },
};

#define SECTION(text, array, what)                                                                 \
	{                                                                                          \
		.name = text, .help = what, .keys = array, .n_keys = N(array)                      \
	}

static const struct schema_section sections[] = {
	SECTION("policy", policy_keys, "What decides where no rule does."),
	SECTION("direction", direction_keys,
		"Frames that enter from inside are judged by "
		"destination. The others:"),
	SECTION("country", country_keys,
		"Rules by country. A code beats a group that holds it; two groups with different "
		"actions must not share a country that is not named itself."),
	SECTION("asn", asn_keys, "Rules by autonomous system. They beat [country]."),
	SECTION("prefix", prefix_keys,
		"Rules by prefix; the longest match decides. They beat [asn] and [country]."),
	SECTION("special", special_keys,
		"Special-purpose addresses (RFC 6890), which no geo data speaks for."),
	SECTION("non-ip", non_ip_keys,
		"Protocols that carry no IP address. Every other one is unparsable."),
	{ .name = "group",
		.named = true,
		.help = "A group of countries that [country] may name.",
		.keys = group_keys,
		.n_keys = N(group_keys) },
	SECTION("limits", limit_keys, "A frame that exceeds one of these is unparsable."),
	SECTION("ports", port_keys,
		"UDP destination ports of tunnels to look into. A list replaces the default one of "
		"its tunnel; no port may belong to two. "
		"With more than about 30 in all, plain frames are parsed one by one, which takes "
		"longer."),
	SECTION("evidence", evidence_keys, "What the mirror keeps of its copies."),
	SECTION("nat64", nat64_keys,
		"Addresses under these are judged by the IPv4 address that they embed."),
};

const struct schema policy_schema = { sections, N(sections) };
