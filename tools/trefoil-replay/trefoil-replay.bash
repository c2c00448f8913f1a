# SPDX-License-Identifier: BSD-3-Clause
# bash completion for trefoil-replay(1)
_trefoil_replay()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	case $prev in
	--direction)
		mapfile -t COMPREPLY < <(compgen -W "outbound inbound" -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--geo --policy --direction --write-pass \
			--write-mirror --summary --json --help --usage --version" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _trefoil_replay trefoil-replay
