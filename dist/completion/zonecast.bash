# SPDX-License-Identifier: BSD-2-Clause
# bash completion of zonecast(1)

_zonecast()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verbs="run status trace steer top queries events drain freeze announce resume reload plan check zone catalog cache lab version help"
	local words=""

	COMPREPLY=()
	case $prev in
	--config | --output | --key | --in | --out)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--run-dir | --state-dir | --zones)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--kind)
		words="announce de-prefer graceful-shutdown withdraw kept backstop verdict neighbor-up neighbor-down bfd max-prefixes rpki hijack peer drift outside zone primary process config order xdp disk backend"
		;;
	--level)
		words="info warn alert"
		;;
	--log-format)
		words="text json"
		;;
	--log-level)
		words="error warning notice info debug"
		;;
	--valid | --inception | --node | --listen | --allow-transfer | --workers | --name | --client | --rcode | --since | --count | --timeout | --network | --from | --interval)
		return
		;;
	*)
		case ${COMP_WORDS[1]}:$COMP_CWORD in
		*:1) words=$verbs ;;
		help:2) words=$verbs ;;
		catalog:2) words="status accept" ;;
		cache:2) words="status show purge" ;;
		cache:*) [[ ${COMP_WORDS[2]} == status ]] && words="--config --run-dir --json --help" || words="--subtree --config --run-dir --json --help" ;;
		help:3) [[ ${COMP_WORDS[2]} == catalog ]] && words="status accept" || [[ ${COMP_WORDS[2]} == cache ]] && words="status show purge" || words="check list show reload history diff rollback export publish sign-variants status retransfer" ;;
		zone:2) words="check list show reload history diff rollback export publish sign-variants status retransfer" ;;
		lab:2) words="up status drill down" ;;
		lab:3) words="kill crash hang wrong flap one-family cut outside-in drain rolling-upgrade bad-zone stale expire drift same-serial cut-region primary-lost overload rpki-invalid withdraw-all old-config dormant-mistake all zone" ;;
		lab:*) words="--region --runs --bfd --backup --no-prometheus --deep --silent --zones --dir --name --json --help" ;;
		run:*) words="--config --node --zones --listen --allow-transfer --workers --state-dir --run-dir --log-level --log-format --allow-faults --accept-older --help" ;;
		plan:*) words="--config --withdraw --accept-older --json --help" ;;
		reload:*) words="--withdraw --accept-older --config --run-dir --json --help" ;;
		check:*) words="--config --node --no-zones --json --help" ;;
		trace:*) words="--network --from --tcp --config --json --help" ;;
		steer:*) words="--from --node --down --config --run-dir --json --help" ;;
		status:*) words="--fleet --config --run-dir --json --help" ;;
		top:*) words="--fleet --interval --once --config --run-dir --json --help" ;;
		events:*) words="--follow --since --kind --level --network --config --run-dir --json --help" ;;
		queries:*) words="--follow --name --client --rcode --count --config --run-dir --json --help" ;;
		drain:*) words="--no-wait --backstop --config --run-dir --state-dir --json --help" ;;
		announce:*) words="--force --config --run-dir --state-dir --json --help" ;;
		freeze:* | resume:*) words="--config --run-dir --state-dir --json --help" ;;
		version:*) words="--json --help" ;;
		zone:*)
			case ${COMP_WORDS[2]} in
			check) words="--config --print --json --help" ;;
			rollback) words="--write --config --run-dir --json --help" ;;
			export) words="--output --config --run-dir --json --help" ;;
			sign-variants) words="--key --in --out --records --valid --inception --check --config --json --help" ;;
			publish) words="--force --wait --timeout --config --run-dir --json --help" ;;
			*) words="--config --run-dir --json --help" ;;
			esac
			;;
		*) words="--config --run-dir --json --help" ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if [[ ${COMP_WORDS[1]}:${COMP_WORDS[2]} == zone:check && $cur != -* ]]; then
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _zonecast zonecast
