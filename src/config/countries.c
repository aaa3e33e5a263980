/* SPDX-License-Identifier: BSD-2-Clause */
/* Countries by their two letters, as ISO 3166-1 has them in 2024, and Kosovo, which geographical databases call XK; continents as those databases do. */
#include "config/read.h"

#include <string.h>

static const char countries[] =
	"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCR"
	"CUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHU"
	"IDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQ"
	"MRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSI"
	"SJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

static const char continents[] = "AFANASEUNAOCSA";

/* What people write instead. */
static const struct {
	char is[3], meant[3];
} others[] = {{"UK", "GB"}, {"EL", "GR"}, {"YU", "RS"}, {"TP", "TL"}, {"SU", "RU"}};

static bool is_in(const char *list, const char *code)
{
	for (; *list; list += 2)
		if (list[0] == code[0] && list[1] == code[1])
			return true;
	return false;
}

bool config_read_country(const struct config_read *r, const struct schema_row *row, const struct tree *t,
                         bool continent, void *to)
{
	char code[3] = "";
	uint16_t v;

	for (size_t i = 0; t->len == 2 && i < 2; i++)
		code[i] = (char)(t->text[i] & ~('a' - 'A'));
	if (!is_in(continent ? continents : countries, code[0] ? code : "??")) {
		for (size_t i = 0; !continent && i < ARRAY_LEN(others); i++) {
			if (strcmp(code, others[i].is) == 0) {
				tree_error(r->src, t, "\"%s\": ISO 3166 calls that country %s", row->key,
				           others[i].meant);
				return false;
			}
		}
		if (continent)
			tree_error(r->src, t,
			           "\"%s\": \"%.20s\" is no continent: they are AF, AN, AS, EU, NA, OC and SA",
			           row->key, t->text);
		else if (strcmp(code, "EU") == 0)
			tree_error(r->src, t, "\"%s\": EU is a continent: write continents: [EU]", row->key);
		else
			tree_error(r->src, t, "\"%s\": \"%.20s\" is no country of ISO 3166, such as DE or US", row->key,
			           t->text);
		return false;
	}
	v = (uint16_t)((uint8_t)code[0] << 8 | (uint8_t)code[1]);
	memcpy(to, &v, sizeof(v));
	return true;
}
