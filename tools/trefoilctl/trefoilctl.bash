# SPDX-License-Identifier: BSD-3-Clause
# bash completion for trefoilctl
_trefoilctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='check diff push shadow promote confirm rollback approve history show status counters doctor explain geo mirror relay top watch'
	local common='--socket --host --json --help --usage --version'
	local command='' i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket | -H | --host | -c | --config) ((i++)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $prev in
	-s | --socket | -c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-m | --message | -H | --host | --limit | --confirm-within | --source | --sport | --dport | --packet | --since | --count) return ;;
	--pcap)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--protocol)
		mapfile -t COMPREPLY < <(compgen -W 'tcp udp sctp icmp esp' -- "$cur")
		return
		;;
	--direction)
		mapfile -t COMPREPLY < <(compgen -W 'outbound inbound' -- "$cur")
		return
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W 'reason country asn rule port worker' -- "$cur")
		return
		;;
	esac
	case $command:$cur in
	:-*) mapfile -t COMPREPLY < <(compgen -W "$common" -- "$cur") ;;
	:*) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	push:-*) mapfile -t COMPREPLY < <(compgen -W "$common --message --confirm-within --shadow" -- "$cur") ;;
	promote:-*) mapfile -t COMPREPLY < <(compgen -W "$common --message --confirm-within" -- "$cur") ;;
	rollback:-*) mapfile -t COMPREPLY < <(compgen -W "$common --message" -- "$cur") ;;
	doctor:-*) mapfile -t COMPREPLY < <(compgen -W "$common --config" -- "$cur") ;;
	counters:-*) mapfile -t COMPREPLY < <(compgen -W "$common --by" -- "$cur") ;;
	watch:-*) mapfile -t COMPREPLY < <(compgen -W "$common --since --count" -- "$cur") ;;
	explain:-*)
		mapfile -t COMPREPLY < <(compgen -W "$common --source --protocol --sport --dport
			--direction --pcap --packet" -- "$cur")
		;;
	diff:-*) mapfile -t COMPREPLY < <(compgen -W "$common --limit" -- "$cur") ;;
	geo:-*) mapfile -t COMPREPLY < <(compgen -W "$common --limit --message" -- "$cur") ;;
	mirror:-*) mapfile -t COMPREPLY < <(compgen -W "$common --message" -- "$cur") ;;
	*:-*) mapfile -t COMPREPLY < <(compgen -W "$common" -- "$cur") ;;
	check:* | diff:* | push:*) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	geo:*)
		if [ "$prev" = geo ]; then
			mapfile -t COMPREPLY < <(compgen -W 'diff push reload rollback status' -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	shadow:*) mapfile -t COMPREPLY < <(compgen -W 'status drop' -- "$cur") ;;
	mirror:*) mapfile -t COMPREPLY < <(compgen -W 'hold list release rotate status' -- "$cur") ;;
	esac
}
complete -F _trefoilctl trefoilctl
